"""Tell experiment trackers how a run goes: TensorBoard, Weights & Biases, MLflow.

The run folder holds everything whether or not a tracker is asked for; a tracker is a copy for
looking at, and one that fails never stops a run.
"""
