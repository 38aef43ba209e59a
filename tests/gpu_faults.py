"""The faults of the matrix, in the order of its table."""

from tests.faults.api import API_FAULTS
from tests.faults.devices import DEVICE_FAULTS
from tests.faults.kubelet import KUBELET_FAULTS
from tests.faults.nvml import GPU_FAULTS, LIBRARY_FAULTS
from tests.faults.processes import PROCESS_FAULTS

FAULTS = (
    *GPU_FAULTS,
    *DEVICE_FAULTS,
    *LIBRARY_FAULTS,
    *PROCESS_FAULTS,
    *KUBELET_FAULTS,
    *API_FAULTS,
)
