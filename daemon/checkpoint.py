"""A run of evolution on disk: written whole at each generation, or not at all."""

import os
from pathlib import Path
from typing import Final, get_args
from zipfile import BadZipFile

import numpy as np

from strategies.breeding import Herd
from strategies.evolution import Stage, Standing

NAME: Final = "generation.npz"


def keep(folder: Path, digest: str, now: Standing) -> None:
    """Write where a run stands; the file is the old one or the new one, whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{NAME}.new"
    with draft.open("wb") as file:
        np.savez(
            file,
            digest=digest,
            stage=now.stage,
            numbers=np.array([now.generation, now.stale, now.evaluations]),
            genes=now.herd.genes,
            objectives=now.herd.objectives,
            perception=now.perception,
            founders=now.founders,
        )
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def found(folder: Path, digest: str) -> Standing | None:
    """Return where a run stood; None without a readable checkpoint of the same run.

    Then it begins afresh, which costs time and changes nothing: the same seed gives the same front.
    """
    try:
        with np.load(folder / NAME, allow_pickle=False) as file:
            if str(file["digest"]) != digest:
                return None
            stage = str(file["stage"])
            generation, stale, evaluations = map(int, file["numbers"])
            return Standing(
                stage=next(each for each in get_args(Stage) if each == stage),
                generation=generation,
                herd=Herd(file["genes"], file["objectives"]),
                stale=stale,
                evaluations=evaluations,
                perception=file["perception"],
                founders=file["founders"],
            )
    except (OSError, ValueError, KeyError, StopIteration, BadZipFile, EOFError):
        return None
