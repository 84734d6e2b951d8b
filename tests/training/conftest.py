"""One torch thread, and no thread beside the progress bars."""

from __future__ import annotations

import torch
from tqdm import tqdm

torch.set_num_threads(1)
tqdm.monitor_interval = 0
