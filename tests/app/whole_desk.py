"""Every router of every package on one application, with nothing behind them: for tests of who may knock where."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Self

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

import changgu
from changgu.app.access import AccessGate
from changgu.app.rendering import SitePages
from changgu.app.web import Health, build_app
from changgu.ground.trouble import NotFound

DOORS = ("api", "pages", "desktop", "feed", "phone_proxy")
"""Modules that may build routers."""


class Absent:
    """Whatever is asked of it, there is no such thing."""

    def __getattr__(self, name: str) -> Self:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: object, **__: object) -> Self:
        return self

    def __await__(self) -> Iterator[Any]:
        raise NotFound("없습니다.", "There is no such thing.")

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Healthy:
    """All is well."""

    async def health(self) -> Health:
        return Health(pbx_connected=True, pbx_version="20.6.0", database=True)


def router_builders() -> Iterator[tuple[str, Callable[..., APIRouter]]]:
    """Every function `build_…` that returns a router, by its full name."""
    for found in pkgutil.walk_packages(changgu.__path__, "changgu."):
        if found.name.rpartition(".")[2] not in DOORS:
            continue
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("build_") and function.__module__ == found.name:
                annotation = inspect.signature(function).return_annotation
                if annotation in (APIRouter, "APIRouter"):
                    yield f"{found.name}.{name}", function


def whole_desk(gate: AccessGate, **given: Any) -> FastAPI:
    """The application with the doors of all packages; `given` are services that are really there."""
    services = {"gate": gate, "pages": SitePages(), **given}
    routers = []
    for _, build in router_builders():
        wanted = inspect.signature(build).parameters
        routers.append(build(**{name: services.get(name, Absent()) for name in wanted}))
    return build_app(version="0", gate=gate, pages=services["pages"], health=Healthy(), routers=routers)


def doors_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method (or WS, or FILES) and path of every route."""
    for route in iter_route_contexts(app.routes):
        if route.methods:
            yield from ((method, route.path or "") for method in sorted(route.methods - {"HEAD"}))
        elif type(route.original_route).__name__ == "Mount":
            yield "FILES", route.path or ""
        else:
            yield "WS", route.path or ""


