import os

# Before scikit-learn loads OpenMP. Beside other busy processes, threads of OpenMP wait for each
# other by spinning: with a load of 12 on two cores, histogram boosting of the penguins took 32 s
# with two threads, and 0.7 s with one. Whoever has cores to spare sets the variable.
os.environ.setdefault("OMP_NUM_THREADS", "1")
