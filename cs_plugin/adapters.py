"""Ready answers for the usual store: Flask-Login says who is there, SQLAlchemy models say the rest."""
