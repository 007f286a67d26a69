"""Share trained models with partners who may use them, but not copy, change or outstay them.

import strongroom

strongroom.seal(pipeline, name="risk", sample=X)      # at the owner
strongroom.open("risk").predict(frame)                # at the partner
"""

__version__ = "0.1.0.dev0"
