"""The focus map: where the slide is blurred."""
