"""`ModelService`: served models, the server's limits, and explanations of texts."""

from dataclasses import asdict
from importlib.metadata import version

from grpc.aio import ServicerContext

from wordgate.api.v1 import explanation_pb2, models_pb2, models_pb2_grpc
from wordgate.engine.loaded_model import ServedModel
from wordgate.engine.onnx_model import ONNXRUNTIME_VERSION
from wordgate.protocol.models import encode_model_version
from wordgate.server.services.context import ServingContext
from wordgate.server.services.explanation import explained


class ModelServicer(models_pb2_grpc.ModelServiceServicer):
    """Implements `ModelService` with the model registry."""

    def __init__(self, serving: ServingContext) -> None:
        self._serving = serving
        self._server = _server(serving)

    async def ListModels(
        self,
        request: models_pb2.ListModelsRequest,
        context: ServicerContext[models_pb2.ListModelsRequest, models_pb2.ListModelsResponse],
    ) -> models_pb2.ListModelsResponse:
        """Return all models, ordered by name and version."""
        models = [self._model(model) for model in self._serving.models.served]
        return models_pb2.ListModelsResponse(models=models, server=self._server)

    async def GetModel(
        self,
        request: models_pb2.GetModelRequest,
        context: ServicerContext[models_pb2.GetModelRequest, models_pb2.GetModelResponse],
    ) -> models_pb2.GetModelResponse:
        """Return one model."""
        model = self._serving.model(request.model)
        return models_pb2.GetModelResponse(model=self._model(model), server=self._server)

    async def Explain(
        self,
        request: explanation_pb2.ExplainRequest,
        context: ServicerContext[explanation_pb2.ExplainRequest, explanation_pb2.ExplainResponse],
    ) -> explanation_pb2.ExplainResponse:
        """Explain a text."""
        return await explained(self._serving, request, context)

    def _model(self, model: ServedModel) -> models_pb2.Model:
        manifest = model.bundle.manifest
        figures = {name: value for name, value in manifest.figures.items() if value is not None}
        return models_pb2.Model(
            version=encode_model_version(model.name),
            is_default=model.name == self._serving.models.default.name,
            digest=model.bundle.digest.hex(),
            vocabulary_size=manifest.network.vocabulary,
            layers=manifest.network.layers,
            width=manifest.network.width,
            figures=figures,
            language=manifest.language,
        )


def _server(serving: ServingContext) -> models_pb2.Server:
    return models_pb2.Server(
        version=version("wordgate"),
        onnxruntime_version=ONNXRUNTIME_VERSION,
        device=serving.device,
        limits=models_pb2.Limits(**asdict(serving.limits)),
    )
