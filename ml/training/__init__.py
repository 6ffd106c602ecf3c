"""How edgewise-nano is made: procedural scenes, what is asked of the model on them, and the stages of training."""
