import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # helpers beside the tests: joint_tasks, joint_milp
