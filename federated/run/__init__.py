"""One retraining: its folder, its job, its candidate bundle and the gate that judges it."""
