"""What the caches of decoders hold, told from the settings alone."""

from serenity.model.quartet import QuartetSettings


def memory_bytes(settings: QuartetSettings, variations: int) -> int:
    """Return the bytes of the caches of the four decoders, however long the song: float32 keys and values."""
    total = 0
    for attribute, network in settings.networks.items():
        shared = settings.window.prompt if network.encoder_layers else 0  # the encoded prompt is the same for all
        rows = variations * settings.reach(attribute) + shared
        total += 2 * 4 * rows * network.model_dim * network.decoder_layers
    return total
