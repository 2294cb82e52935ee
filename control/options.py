"""What every command may be given on the command line."""

import msgspec


class Options(msgspec.Struct, frozen=True):
    """The options every command takes, and those of the ones that change something."""

    socket: str | None = None
    token_file: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    timeout: float | None = None
    json: bool = False
    xcom: bool = False
    output: str | None = None
    key: str | None = None
    scheduled_for: str | None = None
    max_lateness: str | None = None
    refused_ok: bool = False
    on_kill: str = "leave"
