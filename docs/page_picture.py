"""The picture of the page in the README: an invented catalogue, a taste, and why a new film is in the list.

Needs the extra serve, selenium and pillow, and Debian's chromium and chromium-driver.
Run: python docs/page_picture.py docs/page.png
"""

import argparse
import base64
import io
import itertools
import json
import shutil
import socket
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import uvicorn
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from isotherm import Interactions, Items, KernelRidge
from isotherm.serving.app.factory import create_app
from isotherm.serving.database import Database
from isotherm.serving.live.model import LiveModel
from isotherm.serving.shared.shared import SharedModel

FILMS, NEW, USERS = 640, 60, 900
#: genre -> words of its titles
WORDS = {
    "Sci-Fi": ("Orbit", "Signal", "Meridian", "Antenna", "Comet", "Airlock", "Perihelion", "Machine"),
    "Mystery": ("Ledger", "Cipher", "Alibi", "Lantern", "Witness", "Corridor", "Key", "Parlour"),
    "Romance": ("Letter", "Balcony", "Orchard", "Waltz", "Postcard", "Summer", "Promise", "Quay"),
    "Comedy": ("Wedding", "Landlord", "Parrot", "Understudy", "Picnic", "Lodger", "Mayor", "Aunt"),
    "Western": ("Mesa", "Saddle", "Railhead", "Canyon", "Sheriff", "Drover", "Spur", "Homestead"),
    "Horror": ("Cellar", "Hollow", "Marsh", "Choir", "Attic", "Well", "Moth", "Threshold"),
    "Documentary": ("Glacier", "River", "Harvest", "Archive", "Herring", "Loom", "Atlas", "Foundry"),
    "Animation": ("Fox", "Kite", "Acorn", "Whale", "Tinker", "Snail", "Lighthouse", "Button"),
}
MOODS = {
    "Sci-Fi": ("vast", "cool"), "Mystery": ("tense", "clever"), "Romance": ("tender", "wistful"),
    "Comedy": ("light", "clever"), "Western": ("vast", "dusty"), "Horror": ("dark", "tense"),
    "Documentary": ("calm", "wistful"), "Animation": ("light", "tender"),
}  # fmt: skip
ADJECTIVES = (
    "Silent",
    "Second",
    "Crooked",
    "Paper",
    "Last",
    "Borrowed",
    "Northern",
    "Glass",
    "Patient",
    "Amber",
)
PATTERNS = ("The {0} {1}", "{1} at Midnight", "A {1} for Two", "The {1} Keeper", "{0} {1}s", "Beyond the {1}")
DIRECTORS = (
    "Mara Quill", "Teo Lindqvist", "Ines Okafor", "Pavel Drey", "Sun-hee Baek", "Aldo Ferrant", "Noor Vance",
    "Greta Holm", "Ravi Sethna", "Lucía Barro", "Emil Czarny", "Ada Thorne",
)  # fmt: skip
WIDTH, HEIGHT = 1280, 1010


def catalogue(rng: np.random.Generator) -> pl.DataFrame:
    """Invented films; the last of them are new."""
    genres = list(WORDS)
    titles = [
        (pattern.format(adjective, word), genre)
        for genre, pattern in itertools.product(genres, PATTERNS)
        for word, adjective in itertools.product(WORDS[genre], ADJECTIVES)
        if "{0}" in pattern or adjective == ADJECTIVES[0]
    ]
    chosen = [titles[n] for n in rng.permutation(len(titles))[:FILMS]]
    second = rng.choice(genres, FILMS)
    mixed = rng.random(FILMS) < 0.35
    of_genre = {genre: rng.permutation(len(DIRECTORS))[:4] for genre in genres}
    rows = [
        {
            "item_id": n + 1,
            "title": title,
            "genres": [genre, str(other)] if both and other != genre else [genre],
            "mood": [MOODS[genre][int(rng.random() < 0.4)]],
            "director": [DIRECTORS[rng.choice(of_genre[genre])]],
            "year": 2026 if n >= FILMS - NEW else int(2025 - rng.exponential(12)),
        }
        for n, ((title, genre), other, both) in enumerate(zip(chosen, second, mixed, strict=True))
    ]
    return pl.DataFrame(rows)


def log(films: pl.DataFrame, rng: np.random.Generator) -> Interactions:
    """What users with a taste for two genres and some directors click; nothing of what is new."""
    genres, directors = list(WORDS), list(DIRECTORS)
    is_of = np.array([[g in each for g in genres] for each in films["genres"]], dtype=float)
    by = np.array([[d in each for d in directors] for each in films["director"]], dtype=float)
    likes = rng.dirichlet(np.full(len(genres), 0.25), USERS)
    fans = rng.dirichlet(np.full(len(directors), 0.4), USERS)
    drawn = (
        7 * likes @ is_of.T + 3 * fans @ by.T + rng.normal(0, 0.7, FILMS) + rng.gumbel(size=(USERS, FILMS))
    )
    drawn[:, FILMS - NEW :] = -np.inf
    clicks = np.zeros((USERS, FILMS), dtype=np.float32)
    for user, row in enumerate(np.argsort(-drawn, axis=1)):
        clicks[user, row[: rng.integers(8, 40)]] = 1
    return Interactions.from_csr(clicks, [f"user {n}" for n in range(USERS)], films["item_id"].to_list())


def use(address: str, items: list[int]) -> None:
    """Ask for some lists: a server that just began to answer tells of its first second."""
    for item in items[:400]:
        body = json.dumps({"history": [item], "k": 10}).encode()
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{address}v1/recommend", body, headers)).close()


def picture(address: str, taste: list[int]) -> bytes:
    """The page with a taste, the first new film of the list explained, as a PNG."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(f"{address}#{'&'.join(f'like={item}' for item in taste)}&least=2")
        time.sleep(4)
        driver.execute_script("document.querySelectorAll('.entry [data-act^=more]')[2].click()")
        time.sleep(2)
        driver.execute_script("document.querySelector('.entry:has(.badge) [data-act^=why]').click()")
        time.sleep(2)
        driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        return small(base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", {})["data"]))
    finally:
        driver.quit()


def small(picture: bytes) -> bytes:
    """The same PNG in 256 colours."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    colours = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    colours.save(out, "png", optimize=True)
    return out.getvalue()


def main() -> None:
    """Fit, serve, look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    rng = np.random.default_rng(16)
    films = catalogue(rng)
    model = KernelRidge().fit(log(films, rng), Items.from_frame(films))
    of_genre = films.head(FILMS - NEW).filter(pl.col("genres").list.first().is_in(["Sci-Fi", "Mystery"]))
    taste = of_genre["item_id"].to_list()[:3]
    with tempfile.TemporaryDirectory() as folder, Database.open(f"sqlite:///{folder}/live.db") as database:
        app = create_app(SharedModel(LiveModel(model, "films"), database))
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            use(address, films["item_id"].to_list())
            content = picture(address, taste)
        finally:
            server.should_exit = True
            thread.join()
    out.write_bytes(content)
    print(f"{out}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
