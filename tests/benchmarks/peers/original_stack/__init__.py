"""The stack this product was first designed on: FastAPI, Pydantic, SQLAlchemy's async ORM."""
