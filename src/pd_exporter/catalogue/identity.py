"""Labels that say whose a series is."""

IDENTITY = ("namespace", "group", "role")
"""Of a role: the namespace, the RoleBasedGroup or DynamoGraphDeployment, and the role in it."""
