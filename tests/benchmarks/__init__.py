"""Benchmarks. They are not tests, and no test asserts a duration.

`python -m tests.benchmarks` runs them. A benchmark is a module here with a function
`run(options: Options) -> Iterator[Result]`. It uses only what an operator can use: commands as
processes, HTTP, files and SQL.
"""
