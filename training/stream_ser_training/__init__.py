"""From corpora to a checkpoint: splits, windows, augmentation, fitting, measuring and the card."""
