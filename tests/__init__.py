# It says how many threads OpenMP has, which is to come before scikit-learn loads OpenMP.
import worker as worker
