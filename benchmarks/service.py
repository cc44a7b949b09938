"""The emulated service as a process of its own: prints its base URL, then serves until it is stopped."""

from __future__ import annotations

import sites

from mkdocs_gptimage import emulator


def main() -> None:
    options = sites.arguments(
        __doc__,
        ("least", float, 8.0, "least seconds a picture takes"),
        ("most", float, 20.0, "most seconds a picture takes"),
        ("submit", float, 0.03, "seconds the answer to a submit is held back"),
    )
    # Noise does not compress: 1.5 MB, whatever the encoder does.
    settings = emulator.Settings(
        latency=(options.least, options.most),
        submit_seconds=options.submit,
        picture=sites.noise_png(1536, 1000, 1),
    )
    emulator.run(settings, port=0, ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    main()
