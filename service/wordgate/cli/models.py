"""`wordgate models`: list, inspect and verify published or served models."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from wordgate.cli.asked_server import AskedServer, server_options
from wordgate.cli.asking import json_option
from wordgate.engine import bundle as bundles
from wordgate.engine.served_model import open_model
from wordgate.engine.shipped import chosen_bundle, newest_bundle, shipped_folder

_PATH = click.Path(path_type=Path)


@click.group()
def models() -> None:
    """List, inspect and verify published models, here or on a server."""


@models.command(name="list")
@click.argument("folder", type=_PATH, required=False)
@server_options
@json_option
def list_models(folder: Path | None, server: AskedServer | None, as_json: bool) -> None:
    """All versions published in FOLDER (as a rule the shipped one), or what a server serves."""
    if folder is not None and server is not None:
        raise click.UsageError("name a folder or --server, not both")
    found = _served(server) if server else _published(folder)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table("model", "precision", "network")
    for model in found:
        sizes = f"{model['layers']} x {model['width']}, {model['vocabulary']:,} pieces"
        table.add_row(f"{model['name']}@{model['version']}", model["precision"], sizes)
    Console().print(table)


@models.command()
@click.argument("model", required=False)
@server_options
@json_option
def inspect(model: str | None, server: AskedServer | None, as_json: bool) -> None:
    """What a model is, was made from, and how good it is.

    MODEL is a folder (as a rule the shipped one), with --server a name as `en` or `en@3`.
    """
    if server:
        click.echo(json.dumps(_inspect_served(server, model or ""), indent=None if as_json else 1))
        return
    place = chosen_bundle(Path(model) if model else None)
    manifest = bundles.read_manifest(place)
    card = place / "MODEL_CARD.md"
    if as_json:
        click.echo(manifest.model_dump_json())
    else:
        click.echo(
            card.read_text("utf-8") if card.is_file() else manifest.model_dump_json(indent=1)
        )


@models.command()
@click.argument("path", type=_PATH, required=False)
@json_option
def verify(path: Path | None, as_json: bool) -> None:
    """Check every file of a model and its answers to its own questions.

    PATH is a bundle's folder, or one of versions (as a rule the shipped one).
    """
    place = chosen_bundle(path)
    bundle = open_model(place).bundle
    manifest = bundle.manifest
    if as_json:
        found = {"model": f"{manifest.name}@{manifest.version}", "verified": True}
        click.echo(json.dumps(found | {"digest": bundle.digest.hex()}))
        return
    click.echo(
        f"{manifest.name}@{manifest.version}: {len(manifest.files)} files and "
        f"{len(manifest.smoke)} answers are as published"
    )


def _published(folder: Path | None) -> list[dict[str, Any]]:
    if folder:
        newest_bundle(folder)  # refuses a folder that holds none
    places = bundles.find_versions(folder) if folder else iter([shipped_folder()])
    manifests = [bundles.read_manifest(place) for place in places]
    return [
        {
            "name": manifest.name,
            "version": str(manifest.version),
            "precision": manifest.precision,
            "layers": manifest.network.layers,
            "width": manifest.network.width,
            "vocabulary": manifest.network.vocabulary,
        }
        for manifest in manifests
    ]


def _served(server: AskedServer) -> list[dict[str, Any]]:
    with server.connect() as client:
        return [
            {
                **asdict(model.name),
                "layers": model.layers,
                "width": model.width,
                "vocabulary": model.vocabulary_size,
            }
            for model in client.list_models()
        ]


def _inspect_served(server: AskedServer, model: str) -> dict[str, Any]:
    with server.connect(model) as client:
        return {"model": asdict(client.get_model()), "server": asdict(client.get_server())}
