"""Jobs: what is to be built, trained and compared. The defaults are the default job."""

from pyhost.job.load import load_job, parse_change
from pyhost.job.models import Accelerator, Buildable, Formats, Job, Network, Soc, Training
from pyhost.job.products import Convolution, ConvolutionJob, GemmJob, Product, ProductJob, convolution_job, gemm_job

__all__ = [
    "Accelerator",
    "Buildable",
    "Convolution",
    "ConvolutionJob",
    "Formats",
    "GemmJob",
    "Job",
    "Network",
    "Product",
    "ProductJob",
    "Soc",
    "Training",
    "convolution_job",
    "gemm_job",
    "load_job",
    "parse_change",
]
