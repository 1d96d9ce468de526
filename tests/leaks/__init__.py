"""What the leak test asks: a world of three shops (`world`), and every surface of the desk as rows of tables (`surfaces`)."""
