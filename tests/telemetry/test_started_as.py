"""What a process was started as, by command lines as they stand in /proc."""

from __future__ import annotations

import pytest

from telemetry.started_as import is_web_server, started_as


@pytest.mark.parametrize(
    "typed",
    [
        "python finetune.py --model openai/gpt-oss-20b",
        "python -m torch.distributed.run --nproc-per-node 8 vllm",
        "python train.py --out /data/ollama/x",
        "python /srv/vllm/train.py",
        "python tune_vllm.py",
        "python vllm_finetune.py",
        "python -W vllm train.py",
        "python -X vllm train.py",
        "train -m vllm",
        "postgres -D /home/openai/pg",
        "postgres -D /var/lib/ollama",
        "redis-server /srv/uvicorn/redis.conf",
        "/srv/gunicorn/bin/redis-server *:6379",
        "python -c uvicorn",
        "python",
        "python -m",
        "ttftop run http://localhost:8000 simulate",
        "",
    ],
)
def test_a_name_anywhere_but_in_what_runs_makes_no_server(typed):
    assert (started_as(typed.split(" ")), is_web_server(typed.split(" "))) == ("", False)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("/usr/bin/python3.11 /usr/local/bin/vllm serve m", "vLLM"),
        ("python -m vllm.entrypoints.openai.api_server --model m", "vLLM"),
        ("python3 -X dev -W ignore -um sglang.launch_server --port 9", "SGLang"),
        ("python -msglang_router.launch_server", "SGLang"),
        ("/app/llama-server -m /models/openai/x.gguf", "llama.cpp"),
        ("python3 -m llama_cpp.server", "llama.cpp"),
        ("text-generation-router --port 80", "TGI"),
        ("/usr/local/bin/ollama serve", "Ollama"),
        ("lmdeploy serve api_server m", "LMDeploy"),
        ("trtllm-serve m", "TensorRT-LLM"),
        ("python -m mlc_llm serve m", "MLC LLM"),
        ("./koboldcpp-linux-x64 m", "KoboldCpp"),
        ("python3 koboldcpp.py m", "KoboldCpp"),
        ("/root/.ape-1.10 ./mistral.llamafile --server", "llamafile"),
        ("./mistral.llamafile --server", "llamafile"),
        ("/v/bin/python /v/bin/ttftop simulate --port 9", "simulator"),
        ("python -m tui.cli simulate", "simulator"),
        ("python -m loadgen.simulator", "simulator"),
    ],
)
def test_a_server_is_known_by_its_program_its_script_or_its_module(typed, name):
    assert started_as(typed.split(" ")) == name


@pytest.mark.parametrize("title", ["VLLM::EngineCore_0", "VLLM::APIServer"])
def test_a_title_that_a_process_gave_itself_counts_like_its_program(title):
    assert started_as([title, ""]) == "vLLM"
    assert is_web_server(["gunicorn: master [a/b:app]", ""])


@pytest.mark.parametrize(
    "typed", ["uvicorn mine:app", "python -m uvicorn mine:app", "python /v/bin/gunicorn a:b", "hypercorn a:b"]
)
def test_a_web_server_is_known_by_its_program_its_script_or_its_module(typed):
    assert is_web_server(typed.split(" "))
    assert started_as(typed.split(" ")) == ""
