"""Jobs: what is to be built, trained and compared. The defaults are the default job."""

from pyhost.job.load import load_job, parse_change
from pyhost.job.models import Accelerator, Formats, GemmJob, Job, Network, Product, Soc, Training, gemm_job

__all__ = [
    "Accelerator",
    "Formats",
    "GemmJob",
    "Job",
    "Network",
    "Product",
    "Soc",
    "Training",
    "gemm_job",
    "load_job",
    "parse_change",
]
