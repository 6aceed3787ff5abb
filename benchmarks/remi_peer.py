"""The half of remi.py that runs in the peer's Python, which has torch, transformers and miditok, and not Serenity.

    PYTHON remi_peer.py FOLDER

FOLDER holds job.json (the settings, and of each song its name, split and number of notes) and notes.npy: the notes of
all songs, song after song, as NOTES. Written there are result.json and decoded.npy: the notes of the held-out songs as
they come back from their tokens, song after song.
"""

import json
import math
import sys
import time
from importlib.metadata import version
from pathlib import Path

import miditok
import numpy as np
import symusic
import torch
import transformers

NOTES = np.dtype([("onset", np.float64), ("duration", np.float64),  # quarter notes
                  ("pitch", np.int16), ("velocity", np.int16)])
TICKS = 480           # a quarter note: how finely notes reach the tokenizer, which rounds them to its own positions
IGNORED = -100        # as a target: counts as nothing
TIME = ("Bar", "Position")  # kinds of token that say when
WARMUP, FLOOR = 0.05, 0.05  # as in experiments.py


def main(folder: Path) -> None:
    """Tokenise, train, judge, write."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    notes = np.load(folder / "notes.npy")
    songs = np.split(notes, np.cumsum([song["notes"] for song in job["songs"]])[:-1])
    tokenizer = make_tokenizer(job)
    streams = [tokenise(tokenizer, song) for song in songs]
    is_training = [song["split"] == "train" for song in job["songs"]]
    training = [stream for stream, trains in zip(streams, is_training) if trains]
    held_out = [stream for stream, trains in zip(streams, is_training) if not trains]

    model = make_model(job, len(tokenizer))
    steps, shown, seconds = train(model, training, job)
    costs = [cost(model, stream, job["window"]) for stream in held_out]
    kinds = kinds_of(tokenizer)
    decoded = [detokenise(tokenizer, stream) for stream in held_out]
    np.save(folder / "decoded.npy", np.concatenate(decoded))
    result = {
        "parameters": sum(weights.numel() for weights in model.parameters()), "vocabulary": len(tokenizer),
        "seconds": seconds, "steps": steps, "shown": shown,
        "epochs": shown / sum(len(stream) - 1 for stream in training),
        "training": {"songs": len(training), "tokens": sum(map(len, training))},
        "songs": [{"bits": float(bits.sum()), "bits_by_kind": by_kind(bits, stream[1:], kinds),
                   "tokens": len(stream) - 1, "notes": len(back)}
                  for bits, stream, back in zip(costs, held_out, decoded)],
        "versions": {name: version(name) for name in ("miditok", "symusic", "torch", "transformers")},
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


# --- notes <-> tokens -------------------------------------------------------------------------------------------------

def make_tokenizer(job: dict) -> miditok.REMI:
    """Return REMI with MidiTok's defaults for piano, without what POP909 has no use for.

    Time signatures are left out, since nearly all songs are in 4/4: bars are, as in Huang & Yang (2020). There is no
    program, tempo, chord, rest or pedal.
    """
    return miditok.REMI(miditok.TokenizerConfig(
        beat_res={(0, 4): job["positions"], (4, 12): max(job["positions"] // 2, 1)}, num_velocities=job["velocities"],
        pitch_range=(21, 109), special_tokens=["PAD", "BOS", "EOS"], use_time_signatures=False, use_programs=False,
        use_tempos=False, use_chords=False, use_rests=False, use_sustain_pedals=False, use_pitchdrum_tokens=False))


def tokenise(tokenizer: miditok.REMI, notes: np.ndarray) -> np.ndarray:
    """Return a song's tokens between BOS and EOS: NOTES (notes,) -> (tokens,) int64."""
    onset = np.rint(notes["onset"] * TICKS).astype(np.int32)
    end = np.rint((notes["onset"] + notes["duration"]) * TICKS).astype(np.int32)
    score = symusic.Score(TICKS)
    track = symusic.Track(program=0, is_drum=False)
    track.notes = symusic.Note.from_numpy(onset, np.maximum(end - onset, 1), notes["pitch"].astype(np.int8),
                                          notes["velocity"].astype(np.int8), "tick")
    score.tracks.append(track)
    sequence, = tokenizer.encode(score)
    return np.array([tokenizer["BOS_None"], *sequence.ids, tokenizer["EOS_None"]], np.int64)


def detokenise(tokenizer: miditok.REMI, stream: np.ndarray) -> np.ndarray:
    """Return the notes that a stream's tokens stand for. The inverse of tokenise, but for what REMI rounds."""
    score = tokenizer.decode([stream[1:-1].tolist()])
    columns = score.tracks[0].notes.numpy()
    notes = np.empty(len(columns["time"]), NOTES)
    notes["onset"] = columns["time"] / score.ticks_per_quarter
    notes["duration"] = columns["duration"] / score.ticks_per_quarter
    notes["pitch"], notes["velocity"] = columns["pitch"], columns["velocity"]
    return notes


def kinds_of(tokenizer: miditok.REMI) -> np.ndarray:
    """Return what each token says, (tokens,): Pitch, Velocity, Duration, Time or End."""
    kinds = {number: name.split("_")[0] for name, number in tokenizer.vocab.items()}
    return np.array(["Time" if kinds[number] in TIME else "End" if kinds[number] == "EOS" else kinds[number]
                     for number in range(len(kinds))])


def by_kind(bits: np.ndarray, tokens: np.ndarray, kinds: np.ndarray) -> dict[str, float]:
    """Return the sum of the bits of each kind of token."""
    return {str(kind): float(bits[kinds[tokens] == kind].sum()) for kind in np.unique(kinds[tokens])}


# --- the network ------------------------------------------------------------------------------------------------------

def make_model(job: dict, tokens: int) -> transformers.GPT2LMHeadModel:
    """Return a GPT-2 with random weights."""
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=tokens, n_positions=job["window"], n_embd=job["width"], n_layer=job["layers"],
        n_head=max(1, job["width"] // 64), resid_pdrop=job["dropout"], embd_pdrop=job["dropout"],
        attn_pdrop=job["dropout"], bos_token_id=1, eos_token_id=2, use_cache=False))


def optimizers_of(model: torch.nn.Module, job: dict) -> list[torch.optim.Optimizer]:
    """Return what learns: AdamW for all, or Muon for the layers' matrices and AdamW for the others.

    Biases, gains and embeddings do not decay.
    """
    matrices = [weights for name, weights in model.named_parameters() if weights.ndim == 2 and ".h." in name]
    others = [weights for name, weights in model.named_parameters() if not (weights.ndim == 2 and ".h." in name)]
    betas = {"lr": job["learning_rate"], "betas": (0.9, 0.98)}
    if job["optimizer"] == "adamw":
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        return [torch.optim.AdamW(groups, **betas)]
    return [Muon(matrices, {"lr": job["learning_rate"], "weight_decay": 0.01, "momentum": 0.95}),
            torch.optim.AdamW(others, weight_decay=0.0, **betas)]


class Muon(torch.optim.Optimizer):
    """Muon as torch.optim has it, with Nesterov momentum and steps as large as AdamW's, but in float32.

    torch.optim.Muon multiplies in bfloat16. A processor without instructions for that took 16 s a step, 18 times as
    long as all else in it.
    """

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weights in group["params"]:
                state = self.state[weights]
                if not state:
                    state["average"] = torch.zeros_like(weights)
                average = state["average"]
                average.lerp_(weights.grad, 1 - group["momentum"])
                update = orthogonal(weights.grad.lerp(average, group["momentum"]))
                weights.mul_(1 - group["lr"] * group["weight_decay"])
                weights.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(weights.shape)))


def orthogonal(matrix: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """Return about the nearest orthogonal matrix, by Newton-Schulz (Jordan, "Muon", 2024; his coefficients)."""
    turned = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    turned = turned / turned.norm().clamp(min=1e-7)
    for _ in range(rounds):
        gram = turned @ turned.T
        turned = torch.addmm(turned, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), turned, beta=3.4445)
    return turned.T if matrix.shape[0] > matrix.shape[1] else turned


def train(model: torch.nn.Module, songs: list[np.ndarray], job: dict) -> tuple[int, int, float]:
    """Train for so many seconds of processor time. Return steps, tokens shown, and the seconds.

    The learning rate climbs and falls by the time that has gone, as in experiments.py.
    """
    optimizers = optimizers_of(model, job)
    model.train()
    windows = draw_windows(songs, job["window"], job["batch"], np.random.default_rng(job["seed"]))
    steps, shown, began = 0, 0, time.process_time()
    while (gone := (time.process_time() - began) / job["seconds"]) < 1:
        past, target = next(windows)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = job["learning_rate"] * rate(gone)
        loss = torch.nn.functional.cross_entropy(model(past).logits.flatten(0, 1), target.flatten(),
                                                 ignore_index=IGNORED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad(set_to_none=True)
        steps, shown = steps + 1, shown + int((target != IGNORED).sum())
        if steps % 50 == 0:
            print(f"{gone:.0%}, {shown:,} tokens, {loss.item() / math.log(2):.3f} bits a token", flush=True)
    return steps, shown, time.process_time() - began


def rate(gone: float) -> float:
    """Return the learning rate's share of its peak when so much of the time has gone: a climb, then a cosine."""
    if gone < WARMUP:
        return gone / WARMUP
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * (gone - WARMUP) / (1 - WARMUP))) / 2


def draw_windows(songs: list[np.ndarray], window: int, batch: int, rng: np.random.Generator):
    """Yield batches (past, target) of windows for ever, (batch, window) each; each epoch cuts the songs elsewhere.

    Windows that would reach beyond an end begin or end with the song, so that beginnings are shown often.
    """
    while True:
        places = [(song, min(max(start, 0), max(len(stream) - 1 - window, 0)))
                  for song, stream in enumerate(songs)
                  for start in range(-int(rng.integers(window)), len(stream) - 1, window)]
        places = rng.permutation(places)
        for first in range(0, len(places) - batch + 1, batch):
            pieces = [songs[song][start:start + window + 1] for song, start in places[first:first + batch]]
            past = np.zeros((batch, window), np.int64)
            target = np.full((batch, window), IGNORED, np.int64)
            for row, piece in enumerate(pieces):
                past[row, :len(piece) - 1], target[row, :len(piece) - 1] = piece[:-1], piece[1:]
            yield torch.from_numpy(past), torch.from_numpy(target)


def cost(model: torch.nn.Module, stream: np.ndarray, window: int) -> np.ndarray:
    """Return the bits of each token of a stream after BOS, each counted once: (tokens - 1,).

    Windows overlap by half, so that each token but a song's first has half a window or more before it.
    """
    model.eval()
    past, target = torch.from_numpy(stream[:-1]), torch.from_numpy(stream[1:])
    bits, done = np.empty(len(target)), 0
    with torch.inference_mode():
        while done < len(target):
            start = max(0, done - window // 2)
            stop = min(start + window, len(target))
            logits = model(past[None, start:stop]).logits[0]
            nats = torch.nn.functional.cross_entropy(logits, target[start:stop], reduction="none").numpy()
            bits[done:stop] = nats[done - start:] / math.log(2)
            done = stop
    return bits


if __name__ == "__main__":
    main(Path(sys.argv[1]))
