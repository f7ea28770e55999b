"""`wordgate models`: list, inspect and verify published or served models."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from wordgate.bundle import bundle as bundles
from wordgate.bundle.bundle_files import read_manifest_bytes
from wordgate.bundle.bundled_model import bundled_model_paths, latest_version, resolve_bundle
from wordgate.bundle.versions import find_versions
from wordgate.cli.command import Group
from wordgate.cli.options.model import json_option
from wordgate.cli.options.server import ServerConnection, server_options
from wordgate.cli.terminal.tables import figures_table, print_table
from wordgate.engine.loaded_model import open_model
from wordgate.errors import unreadable

_PATH = click.Path(path_type=Path)


@click.group(cls=Group)
def models() -> None:
    """List, inspect and verify models, in a folder or on a server."""


@models.command(name="list")
@click.argument("model", type=_PATH, metavar="[FOLDER]", required=False)
@server_options
@json_option
def list_models(model: Path | None, server: ServerConnection | None, as_json: bool) -> None:
    """List the versions published in FOLDER (default: the bundled models) or served by a server."""
    if model is not None and server is not None:
        raise click.UsageError("FOLDER, --server: mutually exclusive; use one of them")
    listed = _served(server) if server else _published(model)
    if as_json:
        click.echo(json.dumps(listed, ensure_ascii=False))
        return
    table = Table("model", "precision", "network")
    for each in listed:
        sizes = f"{each['layers']} x {each['width']}, {each['vocabulary']:,} tokens"
        table.add_row(f"{each['name']}@{each['version']}", each["precision"], sizes)
    print_table(table)


@models.command()
@click.argument("model", required=False)
@click.option("--card", is_flag=True, help="Print the model card (folders only).")
@server_options
@json_option
def inspect(model: str | None, card: bool, server: ServerConnection | None, as_json: bool) -> None:
    """Show a model's properties and quality figures.

    MODEL is a folder or the name of a bundled model (default: en); with --server, a name such as
    `en` or `en@3`.
    """
    if card:
        if server:
            raise click.UsageError("--card: not available with --server; pass a folder")
        click.echo(_card(resolve_bundle(Path(model) if model else None)))
        return
    document = _inspect_served(server, model or "") if server else _inspect_folder(model)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    for part in ("figures", "server"):
        figures = document.pop(part, None)
        if part == "figures":
            print_table(_facts(document))
        if figures:
            print_table(figures_table(figures, part))


@models.command()
@click.argument("model", type=_PATH, metavar="[FOLDER]", required=False)
@json_option
def verify(model: Path | None, as_json: bool) -> None:
    """Check every file of a model, and its answers to the bundle's smoke test.

    FOLDER is a bundle, a folder of versions, or the name of a bundled model (default: en).
    """
    place = resolve_bundle(model)
    bundle = open_model(place).bundle
    manifest = bundle.manifest
    if as_json:
        document = {"model": f"{manifest.name}@{manifest.version}", "verified": True}
        click.echo(json.dumps(document | {"digest": bundle.digest.hex()}))
        return
    click.echo(
        f"{manifest.name}@{manifest.version}: verified {len(manifest.files)} files and "
        f"{len(manifest.smoke)} answers"
    )


def _published(folder: Path | None) -> list[dict[str, Any]]:
    if folder:
        latest_version(folder)  # raises if the folder contains no version
    places = find_versions(folder) if folder else iter(bundled_model_paths())
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


def _served(server: ServerConnection) -> list[dict[str, Any]]:
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


def _inspect_served(server: ServerConnection, model: str) -> dict[str, Any]:
    with server.connect(model) as client:
        description, server_description = client.get_model(), client.get_server()
    return {
        **asdict(description.name),
        "language": description.language,
        "layers": description.layers,
        "width": description.width,
        "vocabulary": description.vocabulary_size,
        "digest": description.digest,
        "is_default": description.is_default,
        "figures": dict(sorted(description.figures.items())),
        "server": asdict(server_description),
    }


def _inspect_folder(model: str | None) -> dict[str, Any]:
    place = resolve_bundle(Path(model) if model else None)
    manifest = bundles.read_manifest(place)
    document = read_manifest_bytes(place)
    return {
        "name": manifest.name,
        "version": str(manifest.version),
        "precision": manifest.precision,
        "language": manifest.language,
        "layers": manifest.network.layers,
        "width": manifest.network.width,
        "vocabulary": manifest.network.vocabulary,
        "digest": sha256(document).hexdigest(),
        "created": manifest.created,
        "training": dict(manifest.training),
        "figures": {
            name: float(value)
            for name, value in sorted(manifest.figures.items())
            if value is not None
        },
    }


def _card(place: Path) -> str:
    """Return the generated model card. Raises `InvalidFile` if there is none."""
    try:
        return (place / "MODEL_CARD.md").read_text("utf-8").rstrip()
    except OSError as error:
        raise unreadable(place / "MODEL_CARD.md", error) from None


def _facts(document: Mapping[str, Any]) -> Table:
    """Return a table of a model's properties, without its figures."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in document.items():
        table.add_row(name.replace("_", " "), escape(_fact(value)))
    return table


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
