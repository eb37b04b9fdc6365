"""How the app, the workers and any other endpoint are asked how they are."""
