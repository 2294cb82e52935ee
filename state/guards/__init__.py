"""The guards of the gate: one small pure function per reason code, by what they protect."""
