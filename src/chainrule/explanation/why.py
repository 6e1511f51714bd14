from typing import Literal
Cause = Literal["ordinary","not connected","frozen","stopped","masked","saturated","cancelled","multiplied by zero","vanishing","exploding","not finite"]
