"""`signgen render`: a source frame and poses become a video."""

from __future__ import annotations

from signgen.cli.output import bar, counter, print_json, print_note, print_result, table
from signgen.cli.parsing import command
from signgen.config.render import RenderConfig
from signgen.errors import ExitCode, UserError

__all__ = ["render"]

GROUPS = {
    "many videos": ("jobs", "shard", "engine", "workers"),
    "poses": (
        "clip",
        "pose_size",
        "pose_fps",
        "source_poses",
        "source_frame",
        "estimator",
        "weights",
        "fill_gaps",
        "smooth",
    ),
    "pictures": ("frame", "size", "steady"),
    "background and sound": ("background", "person_mask", "audio"),
    "human parsing": ("parsing", "label_set", "clothes_parsing", "face_parsing"),
    "editing": ("clothes_from", "face_from", "edit_region", "mask"),
    "sampling": (
        "guidance",
        "sampler",
        "official_noise",
        "precision",
        "seed",
        "chunk",
    ),
    "where it comes from": ("like", "consent", "credentials", "certificate", "private_key"),
}


def _like(config: RenderConfig) -> RenderConfig | None:
    """Return the settings that made the video of `--like`, if there is one."""
    if not config.like:
        return None
    from signgen.rendering.provenance.record import read_provenance, settings_of

    return settings_of(read_provenance(config.like), config.like)


@command("signgen render", groups=GROUPS, begin=_like)
def render(config: RenderConfig) -> int:
    """Render a signer: one source frame and a pose sequence become a video.

    Example: signgen render --source frame.png --poses seq.json -o out.mp4 --steps 20

    Many: signgen render --source frame.png --poses poses/ --out videos/ --shard 0/4, or --jobs
    jobs.jsonl with settings a line. A bad one stops none (exit code 3); the same command goes on.

    Again: signgen render --like out.mp4 -o again.mp4

    Without weights: signgen render --source frame.png --source-poses frame.json --poses seq.json
    --model warp
    """
    from signgen.rendering.command import as_json, render_files
    from signgen.rendering.jobs import is_many
    from signgen.rendering.planning import plan
    from signgen.rendering.provenance.record import changes_since, read_provenance

    on_ray = _on_ray(config)
    if is_many(config):
        return _render_many(config)
    flags = (("--shard", config.shard is not None), ("--engine ray", on_ray))
    for flag, given in flags:
        if given:
            raise UserError(
                f"{flag} is for many videos; expected --jobs FILE, or folders as --poses and "
                "--out.",
                ExitCode.USAGE,
            )
    if config.like:
        for change in changes_since(read_provenance(config.like), config, config.like):
            print_note(f"not as for {config.like}: {change}")
    if config.dry_run:
        planned = as_json(plan(config))
        estimate = planned["estimate"]
        flat = {**planned, **estimate} if isinstance(estimate, dict) else planned
        known = {k: v for k, v in flat.items() if v is not None and k != "estimate"}
        print_json(planned) if config.json else print_result(table(known))
        return ExitCode.OK
    result = render_files(config, progress=bar("frame"))
    if config.json:
        print_json(as_json(result))
        return ExitCode.OK
    print_result("\n".join(result.files))
    for warning in result.warnings:
        print_note(f"warning: {warning}")
    height, width = result.size
    print_note(
        f"{result.frames} frame{'' if result.frames == 1 else 's'} of {height} x {width} "
        f"at {result.fps:g} fps in {result.seconds:.1f} s"
    )
    return ExitCode.OK


def _on_ray(config: RenderConfig) -> bool:
    if config.workers is not None and (config.engine != "ray" or config.workers < 1):
        raise UserError(
            f"--workers is {config.workers}; expected at least 1, with --engine ray.",
            ExitCode.USAGE,
        )
    return config.engine == "ray"


def _render_many(config: RenderConfig) -> int:
    """Render many videos, and say of each what came of it."""
    from signgen.rendering.jobs import JobResult, as_json, render_jobs

    with counter("video") as progress:
        done = 0

        def report(job: JobResult, total: int) -> None:
            nonlocal done
            done += 1
            progress(done, total)
            if config.json:
                print_json(as_json(job))
            elif job.status != "failed":
                print_result(job.out)
            for warning in job.result.warnings if job.result else ():
                print_note(f"warning: {job.out}: {warning}")
            if job.error is not None:
                print_note(f"error: {job.out}: {job.error}")

        results = render_jobs(config, report)

    # How many
    counts = [
        f"{sum(job.status == status for job in results)} {status}"
        for status in ("planned" if config.dry_run else "done", "skipped", "failed")
    ]
    print_note(", ".join(counts))
    return ExitCode.SOME_FAILED if any(job.error for job in results) else ExitCode.OK
