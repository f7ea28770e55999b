"""Generate OCR test data: python examples/noisy_print.py TEXT.txt > read.jsonl.

Renders each line of the text as a small, noisy image and runs tesseract on it. The output is JSON
lines with the text as reference, for `correct_print` and `measure_print`. Needs Pillow and
matplotlib, whose fonts are used (in a clone, `scripts/check` installs both in .venv).
"""

import argparse
import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from correct_print import read_image

FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Italic.ttf",
    "STIXGeneral.ttf",
)


def main() -> None:
    """Render and recognise each line with random font, blur and noise, with a fixed seed."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("text", metavar="TEXT.txt", type=Path)
    lines = parser.parse_args().text.read_text("utf-8").splitlines()
    chance = random.Random(0)
    with TemporaryDirectory() as folder:
        image = Path(folder) / "line.png"
        for number, text in enumerate(lines):
            blur = chance.choice((0.5, 0.7, 0.8))
            noise = chance.choice((10.0, 20.0))
            print_line(text, image, chance.choice(FONTS), blur=blur, noise=noise, seed=number)
            words = [word for line in read_image(image, "7") for word in line.words]
            documents = [
                {
                    "text": word.text,
                    "confidence": word.confidence,
                    "symbols": [list(each.items()) for each in word.choices],
                }
                for word in words
            ]
            if words:
                print(json.dumps({"reference": text, "words": documents}, ensure_ascii=False))


def print_line(
    text: str, image: Path, font: str, *, blur: float = 0.8, noise: float = 20.0, seed: int = 0
) -> None:
    """Write an image of a line of text in a 12-pixel font.

    `blur` is the blur radius in pixels; `noise` is the standard deviation of the noise, of 255.
    """
    face = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / font, 12)
    page = Image.new("L", (int(face.getlength(text)) + 20, 32), 255)
    ImageDraw.Draw(page).text((10, 8), text, font=face, fill=0)
    blurred = np.asarray(page.filter(ImageFilter.GaussianBlur(blur)), float)
    grain = np.random.default_rng(seed).normal(0, noise, blurred.shape)
    Image.fromarray(np.clip(blurred + grain, 0, 255).astype(np.uint8)).save(image)


if __name__ == "__main__":
    main()
