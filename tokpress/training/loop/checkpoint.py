"""Weights, optimiser state, recurrent state and progress in one folder; the newest complete one always survives.

    net.safetensors                 float32 master weights
    optimizer0.safetensors, …       "<parameter index>.<name>" → tensor, per optimiser
    state.safetensors               [B of all processes, 3·L, D]: the recurrent state (may be missing)
    progress.json                   progress (with the held-out curve) and the FitConfig

A new folder is written beside the old one and takes its name when it is complete. If the machine stops between the two renames,
the old folder is found under its other name, `….old`.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...errors import TokpressError
from ..options import FitConfig, Progress


class Checkpoint:
    """The checkpoint in `folder`, which may not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _beside(self, suffix: str) -> Path:
        return self.folder.with_name(self.folder.name + suffix)

    def save(
        self,
        net: torch.nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        progress: Progress,
        config: FitConfig,
        state: Tensor | None = None,
    ) -> None:
        """Raises TokpressError where it cannot be written (a full disk); the checkpoint before is kept then."""
        new, old = self._beside(".new"), self._beside(".old")
        shutil.rmtree(new, ignore_errors=True)
        try:
            self._write(new, net, optimizers, progress, config, state)
            if self.folder.exists():
                shutil.rmtree(old, ignore_errors=True)
                self.folder.rename(old)
            new.rename(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(new, ignore_errors=True)
            raise TokpressError(f"cannot write the checkpoint {self.folder}: {error}") from error
        shutil.rmtree(old, ignore_errors=True)

    def _write(
        self,
        folder: Path,
        net: torch.nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        progress: Progress,
        config: FitConfig,
        state: Tensor | None,
    ) -> None:
        folder.mkdir(parents=True)
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "net.safetensors")
        for i, optimizer in enumerate(optimizers):
            flat = {
                f"{index}.{key}": torch.as_tensor(value)
                for index, part in optimizer.state_dict()["state"].items()
                for key, value in part.items()
            }
            save_file(flat, folder / f"optimizer{i}.safetensors")
        if state is not None:
            save_file({"state": state.contiguous()}, folder / "state.safetensors")
        (folder / "progress.json").write_text(json.dumps({"progress": asdict(progress), "fit": asdict(config)}))

    def load(self, net: torch.nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> Progress:
        """Restore `net` and `optimizers` in place. Raises TokpressError where the checkpoint is not of this net."""
        folder = self._found()
        try:
            net.load_state_dict(load_file(folder / "net.safetensors"))
            for i, optimizer in enumerate(optimizers):
                state: dict[int, dict[str, Tensor]] = {}
                for key, value in load_file(folder / f"optimizer{i}.safetensors").items():
                    index, name = key.split(".", 1)
                    state.setdefault(int(index), {})[name] = value
                groups = optimizer.state_dict()["param_groups"]
                optimizer.load_state_dict({"state": state, "param_groups": groups})
            return Progress(**json.loads((folder / "progress.json").read_text())["progress"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TokpressError(f"the checkpoint in {folder} is damaged or of another network: {first_line}") from error

    def state(self) -> Tensor | None:
        """The recurrent state of all rows; None where none was saved."""
        path = self._found() / "state.safetensors"
        return load_file(path)["state"] if path.is_file() else None

    def exists(self) -> bool:
        return (self._found() / "progress.json").is_file()

    def _found(self) -> Path:
        return self.folder if self.folder.exists() else self._beside(".old")
