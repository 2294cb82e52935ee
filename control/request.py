"""What the daemon reads: a question, or one of the state's own commands.

Apart from `control.protocol`, since the client need not load every command to ask one question.
"""

from collections.abc import Callable

import msgspec

from control.protocol import Asked, Question
from state.command import ClientCommand

Request = Asked[Question | ClientCommand]

decode_request: Callable[[bytes], Request] = msgspec.json.Decoder(Request).decode
