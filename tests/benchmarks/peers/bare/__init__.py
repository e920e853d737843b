"""What the machine and the load generators can do when nothing is stored, checked or decided."""
