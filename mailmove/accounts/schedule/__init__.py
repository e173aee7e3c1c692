"""Having this machine run mailmove every night: by whichever of its schedulers is there."""
