"""Sets Edgewise up on a bare machine and keeps its programs running; rests on the standard library alone."""
