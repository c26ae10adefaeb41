"""What answers: the conductivity and energy networks, the thermodynamics, and their uncertainty."""
