#!/usr/bin/env python3
"""Runs the command of job.yaml once for each index, with directories of this machine in place of the volumes.

    run_job.py JOB ARCHIVES RESULTS
"""
import pathlib
import subprocess
import sys

import yaml


def main(job, archives, results):
    spec = yaml.safe_load(pathlib.Path(job).read_text())["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    places = {"/fleet/": f"{pathlib.Path(job).parent}/", "/archives/": f"{archives}/", "/results": results}
    for index in range(spec["completions"]):
        command = [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in container["command"]]
        for mounted, place in places.items():
            command = [place + word.removeprefix(mounted) if word.startswith(mounted) else word for word in command]
        environment = {variable["name"]: variable["value"] for variable in container["env"]}
        subprocess.run([sys.executable, *command[1:]], env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
