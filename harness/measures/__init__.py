"""Pure measures: arrays in, floats out. Nothing here touches disk, clock, process or environment."""
