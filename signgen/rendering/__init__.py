"""From one source frame and a pose sequence to a video of that signer."""
