"""Moving over: settings of other code, said as recipes and commands of this package."""
