"""Kill renders at random and let the same command go on: python tools/kill_renders.py [KILLS].

Each run renders frames of the bundled sample with the warp, 24 and 80 in turns, in a process that
is killed at a random frame (SIGKILL, every second time SIGINT or SIGTERM), three times, and then
let through. A line a kill: frames that were kept and that can be played, whether the final path is
absent; a line a run: whether the bytes are those of a run that nobody killed. Problems are a final
file, bytes that differ, and less than four fifths of the frames that can be played.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from signgen.data.dataset import open_dataset
from signgen.errors import UserError
from signgen.media import read_image, read_video, save_image
from signgen.media.resizing import resize_image
from signgen.pose.formats import write_poses
from signgen.rendering.partial import PLAYABLE, part_of
from signgen.structures import FrameRef

LENGTHS = (24, 80)
KILLS_A_RUN = 3


def inputs(folder: Path, frames: int) -> list[str]:
    """Write source and poses; return the words of the command, without --out."""
    # There and back again, until it is long enough
    dataset = open_dataset("sample", ("train",))
    record = dataset.records("train")[0]
    last = record.num_frames - 1
    order = np.resize(np.r_[0:last, last:0:-1], frames)
    picture = resize_image(dataset.frame(FrameRef(record, 0)), (130, 104), "area")
    save_image(folder / "source.png", picture)
    write_poses(dataset.poses(record).frames(order.tolist()), folder / f"poses-{frames}.json")

    # The command
    source, motion = str(folder / "source.png"), str(folder / f"poses-{frames}.json")
    words = ["--source", source, "--source-poses", motion, "--poses", motion, "--model", "warp"]
    return [sys.executable, "-m", "signgen", "render", *words]


def kept(part: Path, frame_bytes: int) -> int:
    """Return the number of frames that a folder keeps."""
    try:
        whole = int(json.loads((part / "state.json").read_text())["whole"])
        after = part / f"after-{whole:06d}.rgb"
        return whole + (after.stat().st_size // frame_bytes if after.is_file() else 0)
    except (FileNotFoundError, ValueError):  # not there yet, or a segment became whole just now
        return 0


def playable(part: Path) -> int:
    """Return the number of frames of the growing video that can be decoded."""
    count = 0
    try:
        for _ in read_video(part / "video.mp4"):
            count += 1
    except UserError:
        pass
    return count


def killed(words: list[str], out: Path, number: signal.Signals, at: int, size: int) -> int:
    """Start a render, send a signal when so many frames are kept; return its exit code."""
    process = subprocess.Popen(
        [*words, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and kept(part_of(out), size) < at:
        time.sleep(0.002)
    process.send_signal(number)
    return process.wait()


def main(kills: int) -> int:
    """Kill so many times; return 1 if anything was lost that should not be."""
    chance, problems, done = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        commands = {frames: inputs(folder, frames) for frames in LENGTHS}
        whole = {frames: whole_bytes(folder, words) for frames, words in commands.items()}
        height, width = read_image(folder / "source.png").shape[:2]
        print(
            f"{'kill':>4} {'frames':>6} {'signal':8} {'exit':>4} {'kept':>4} {'playable':>8} final"
        )
        for run in range(kills):
            if done == kills:
                break
            frames = LENGTHS[run % len(LENGTHS)]
            out, reached = folder / f"run-{run}.mp4", 0
            for _ in range(min(KILLS_A_RUN, kills - done)):
                number = (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)[done % 4]
                at = chance.randint(reached + 1, max(reached + 1, frames - frames // 4))
                code = killed(commands[frames], out, number, at, height * width * 3)
                part, done = part_of(out), done + 1
                reached, shown = kept(part, height * width * 3), playable(part)
                # The last frame may have been kept in the moment of the kill
                fine = shown >= PLAYABLE * (reached - 1) and not out.exists() and part.is_dir()
                problems += not fine
                state = "absent" if not out.exists() else "there"
                row = f"{done:4} {frames:6} {number.name:8} {code:4} {reached:4} {shown:8} {state}"
                print(row if fine else f"{row} PROBLEM", flush=True)
            same = whole_bytes(folder, commands[frames], out) == whole[frames]
            problems += not same or part_of(out).exists()
            print(f"run {run}: bytes {'equal' if same else 'DIFFER'}", flush=True)
    print(f"{done} kills, {problems} problems")
    return int(problems > 0)


def whole_bytes(folder: Path, words: list[str], out: Path | None = None) -> list[bytes]:
    """Render to the end; return the bytes of the video and of the comparison."""
    out = out or folder / "whole.mp4"
    subprocess.run([*words, "--out", str(out)], check=True, capture_output=True)
    return [out.with_suffix(end).read_bytes() for end in (".mp4", ".compare.mp4")]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
