"""The parts of build_shards.py: inputs, drawing augmentations, teachers, captions, and writing shards."""
