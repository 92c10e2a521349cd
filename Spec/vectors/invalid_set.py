def all_invalid():
    return []
