"""How the traces of a problem are found: CoTEvol itself and the baselines it is compared with."""
