"""Runs the llama.cpp server of the package xllamacpp in this process, until it is stopped.

    python llama_cpp_server.py --model FILE --alias NAME --host HOST --port PORT ...

It takes those arguments of `llama-server` that `backends/llama_cpp.py` gives, and the key from the
environment variable LLAMA_API_KEY, as `llama-server` does.
"""

import argparse
import os
import signal


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    import xllamacpp

    parser = argparse.ArgumentParser()
    for name in ("--model", "--alias", "--host"):
        parser.add_argument(name, required=True)
    for name in ("--port", "--ctx-size", "--parallel", "--n-gpu-layers"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.model_alias = {given.alias}
    params.hostnames = [given.host]
    params.port = given.port
    params.api_keys = [os.environ["LLAMA_API_KEY"]]
    params.n_ctx = given.ctx_size
    params.n_parallel = given.parallel
    params.n_gpu_layers = given.n_gpu_layers
    if given.threads is not None:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given.threads
    server = xllamacpp.Server(params)
    print(f"listening at {server.listening_address}", flush=True)
    signal.sigwait((signal.SIGTERM, signal.SIGINT))
    os._exit(0)  # requests in progress are not waited for


if __name__ == "__main__":
    main()
