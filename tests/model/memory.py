"""What the caches of decoders hold, told from the settings alone."""

from serenity.settings import ModelSettings


def memory_bytes(settings: ModelSettings, variations: int) -> int:
    """Return the bytes of the caches of the four decoders, however long the song: float32 keys and values."""
    shared = settings.window.prompt if settings.has_encoder else 0  # the encoded prompt is the same for all
    rows = variations * settings.reach + shared
    return sum(2 * 4 * rows * network.model_dim * network.layers for network in settings.networks.values())
