"""What signers do: signs as tracks of hands, arms that reach, faces; in the end an articulation."""
