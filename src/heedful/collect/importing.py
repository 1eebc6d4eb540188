"""placeholder"""
IMPORTED = "votes imported"
